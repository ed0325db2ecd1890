// Serves the page and the unmodified library on http://127.0.0.1:8080.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';

const files = {
  '/': ['index.html', 'text/html; charset=utf-8'],
  '/medkit.umd.js': ['node_modules/@muxy/extensions-js/dist/medkit.umd.js', 'text/javascript'],
};
const port = Number(process.env.PORT ?? 8080);
const server = createServer(async (request, response) => {
  const [file, type] = files[new URL(request.url, 'http://page').pathname] ?? [];
  if (!file) return response.writeHead(404).end();
  response.writeHead(200, { 'content-type': type });
  response.end(await readFile(new URL(file, import.meta.url)));
});
server.listen(port, '127.0.0.1', () => console.log(`open http://127.0.0.1:${server.address().port}`));
