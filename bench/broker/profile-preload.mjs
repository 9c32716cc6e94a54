// Loaded into a broker process with --import: SIGUSR2 starts a CPU profile, the next one writes it to
// BENCH_PROFILE_FOLDER. Plain JavaScript, as it runs before anything of the project.
import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';

const SAMPLE_US = 200;
const folder = process.env.BENCH_PROFILE_FOLDER;
const session = new Session();
session.connect();
session.post('Profiler.enable');
session.post('Profiler.setSamplingInterval', { interval: SAMPLE_US });

let running = false;
let count = 0;
process.on('SIGUSR2', () => {
  if (!running) {
    running = true;
    session.post('Profiler.start');
    return;
  }
  running = false;
  session.post('Profiler.stop', (failed, result) => {
    if (failed) return;
    count += 1;
    writeFileSync(join(folder, `${count}.cpuprofile`), JSON.stringify(result.profile));
  });
});
