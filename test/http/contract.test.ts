/** The contract of the adapters, over every framework. */

import { adapterContract } from './contract.js';
import { sites } from './sites.js';

for (const site of sites) adapterContract(site);
