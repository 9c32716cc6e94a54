import { config } from 'zod';

// Zod probes for `new Function` when an object schema is made; under our content security policy the probe
// itself is reported as a violation. So this comes before the first import of a schema.
config({ jitless: true });
