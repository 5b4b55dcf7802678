/** The adapters' contract where the cookie is more than the token, over every framework. */

import { adapterContract } from './contract.js';
import { formatContract } from './contract-formats.js';
import { sites } from './sites.js';

for (const site of sites) adapterContract(site, [formatContract]);
