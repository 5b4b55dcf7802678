/** The name of a device, made from its user agent. Runs in the main thread. */

const browsers: readonly [RegExp, string][] = [
  [/\bEdg(?:e|A|iOS)?\//, 'Edge'],
  [/\bOPR\//, 'Opera'],
  [/\b(?:Firefox|FxiOS)\//, 'Firefox'],
  [/\b(?:Chrome|Chromium|CriOS|HeadlessChrome)\//, 'Chrome'],
  [/\bVersion\/[\d.]+ .*\bSafari\//, 'Safari'],
  [/^curl\//, 'curl'],
];

const systems: readonly [RegExp, string][] = [
  [/\bAndroid\b/, 'Android'],
  [/\b(?:iPhone|iPad)\b/, 'iOS'],
  [/\bWindows\b/, 'Windows'],
  [/\bMac OS X\b/, 'macOS'],
  [/\bCrOS\b/, 'ChromeOS'],
  [/\bLinux\b/, 'Linux'],
];

/**
 * 'Firefox on Linux', 'curl', or 'Another device' for an unknown user agent. For display only, as clients may send any
 * user agent.
 */
export function deviceName(userAgent: string | undefined): string {
  const browser = firstOf(browsers, userAgent ?? '');
  const system = firstOf(systems, userAgent ?? '');
  if (browser === undefined) return system === undefined ? 'Another device' : `A device with ${system}`;
  return system === undefined ? browser : `${browser} on ${system}`;
}

function firstOf(names: readonly [RegExp, string][], userAgent: string): string | undefined {
  return names.find(([form]) => form.test(userAgent))?.[1];
}
