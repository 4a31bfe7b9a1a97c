// Uploads one file with tus-js-client and prints what came of it: `node upload.mjs '{"endpoint", "token", "bytes", "options"}'`.
import { Upload } from "tus-js-client";

const { endpoint, token, bytes, breakAfter, options } = JSON.parse(process.argv[2]);
const file = Buffer.alloc(bytes);
for (let i = 0; i < bytes; i++) file[i] = (i * 31 + Math.floor(i / 251)) & 255;

let upload;
let attachment = null;
let broken = false;
const outcome = await new Promise((resolve) => {
  upload = new Upload(file, {
    endpoint,
    headers: { Authorization: `Bearer ${token}` },
    metadata: { filename: "Grüße.bin", filetype: "application/octet-stream" },
    chunkSize: 3 * 1024 * 1024,
    retryDelays: [0, 100],
    ...options,
    onAfterResponse: (_request, response) => {
      attachment = response.getHeader("Taskfold-Attachment-Id") ?? attachment;
    },
    onProgress: async (sent) => {
      if (breakAfter && sent >= breakAfter && !broken) {
        // As a browser that is closed in the middle and comes back with the address it has kept.
        broken = true;
        await upload.abort();
        upload.start();
      }
    },
    onSuccess: () => resolve({ ok: true }),
    onError: (error) => resolve({ ok: false, status: error.originalResponse?.getStatus() ?? null, message: String(error) }),
  });
  upload.start();
});
console.log(JSON.stringify({ ...outcome, attachment, broken }));
