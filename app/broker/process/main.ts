import { serveProcess } from './serve-process.ts';

serveProcess();
