/**
 * What a piece of work costs this thread, in milliseconds of processor time: a busy machine makes it wait, but
 * not cost more.
 */
export const cpuTimeMs = (work: () => void): number => {
  const before = process.threadCpuUsage();
  work();
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
};
