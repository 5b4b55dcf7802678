/** The part of asciichart that is used here; the package has no types. */
declare module 'asciichart' {
  interface PlotOptions {
    min?: number;
    max?: number;
    height?: number;
    offset?: number;
    format?: (value: number, row: number) => string;
  }
  const asciichart: { plot(series: readonly number[], options?: PlotOptions): string };
  export default asciichart;
}
