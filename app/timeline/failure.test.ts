import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it } from 'vitest';
import { storeFailure } from './failure.ts';

const thrownBy = (task: () => void): unknown => {
  try {
    task();
  } catch (thrown) {
    return thrown;
  }
  throw new Error('nothing was thrown');
};

describe('storeFailure', () => {
  it('says that the disk is full where SQLite says so', () => {
    const database = new DatabaseSync(':memory:');
    database.exec('CREATE TABLE filler (bytes BLOB); PRAGMA max_page_count = 3');
    const thrown = thrownBy(() => {
      for (let round = 0; round < 10; round += 1) {
        database.exec('INSERT INTO filler VALUES (randomblob(3000))');
      }
    });
    database.close();
    expect(storeFailure('Recording', thrown)).toMatchObject({
      code: 'timeline.failed',
      message: 'Recording: the disk is full.',
    });
  });

  it('gives other reasons in their own words', () => {
    const database = new DatabaseSync(':memory:');
    const thrown = thrownBy(() => database.exec('nonsense'));
    database.close();
    expect(storeFailure('Recording', thrown).message).toContain('syntax error');
  });
});
