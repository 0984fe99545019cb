// Starts telegram-test-api on a loopback port: NODE_PATH=…/node_modules node server.js PORT
//
// Release 4.2.1 is older than today's Bot API. What it lacks is added here by the letter of core.telegram.org/bots/api;
// messages, buttons, taps and webhooks are its own.
'use strict';

const axios = require('axios');
const routes = require('telegram-test-api/lib/routes/index');
const { TelegramServer } = require('telegram-test-api/lib/telegramServer');

const POLL_MAX_MS = 5000;
const me = { id: 666, is_bot: true, first_name: 'Peer', username: 'peer_bot' };
const ok = (answer, result) => answer.json({ ok: true, result });
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

routes.routes.unshift((app, server) => {
  // Without is_bot no client can read getMe; sendChatAction and getWebhookInfo do not exist.
  app.all('/bot:token/getMe', (_request, answer) => ok(answer, me));
  app.all('/bot:token/sendChatAction', (_request, answer) => ok(answer, true));
  app.all('/bot:token/getWebhookInfo', (request, answer) => {
    const { url = '' } = server.webhooks[request.params.token] ?? {};
    ok(answer, { url, has_custom_certificate: false, pending_update_count: 0 });
  });
  // getUpdates forgets what it has told and never waits: here an offset confirms, and an empty answer takes its time.
  app.all('/bot:token/getUpdates', async (request, answer) => {
    const { token } = request.params;
    const { offset = 0, timeout = 0 } = { ...request.query, ...request.body };
    const isMine = (update) => update.botToken === token;
    const waiting = () => server.storage.userMessages.filter(isMine);
    const isKept = (update) => !isMine(update) || update.updateId >= Number(offset);
    server.storage.userMessages = server.storage.userMessages.filter(isKept);
    const until = Date.now() + Math.min(Number(timeout) * 1000, POLL_MAX_MS);
    while (waiting().length === 0 && Date.now() < until) await sleep(10);
    ok(answer, waiting().map((update) => TelegramServer.formatUpdate(update)));
  });
});

// Customers cannot edit: a message that says when it was edited is one.
const formatUpdate = TelegramServer.formatUpdate;
TelegramServer.formatUpdate = (update) => update.message?.edit_date
  ? { update_id: update.updateId, edited_message: update.message }
  : formatUpdate(update);

// Messages that come while a webhook is being called share its numbers, and overtake it.
const getCommonFields = TelegramServer.prototype.getCommonFields;
TelegramServer.prototype.getCommonFields = function (token) {
  const fields = getCommonFields.call(this, token);
  this.updateId += 1;
  this.messageId += 1;
  return fields;
};
const addUserUpdate = TelegramServer.prototype.addUserUpdate;
let lane = Promise.resolve();
TelegramServer.prototype.addUserUpdate = function (update) {
  lane = lane.catch(() => {}).then(() => addUserUpdate.call(this, update));
  return lane;
};

// Dates of the bot's messages are in milliseconds, and nobody sent them.
const addBotMessage = TelegramServer.prototype.addBotMessage;
TelegramServer.prototype.addBotMessage = function (message, token) {
  const added = addBotMessage.call(this, message, token);
  return { ...added, date: Math.floor(added.date / 1000), from: me };
};

// Webhooks are called without the secret token they were set with.
const secrets = new Map();
const setWebhook = TelegramServer.prototype.setWebhook;
TelegramServer.prototype.setWebhook = function (webhook, token) {
  secrets.set(webhook.url, webhook.secret_token);
  setWebhook.call(this, webhook, token);
};
axios.interceptors.request.use((call) => {
  if (secrets.has(call.url)) call.headers['X-Telegram-Bot-Api-Secret-Token'] = secrets.get(call.url);
  return call;
});

// A webhook that refuses would end the process.
process.on('unhandledRejection', (error) => console.error(String(error)));

const server = new TelegramServer({ port: Number(process.argv[2]), host: '127.0.0.1', storeTimeout: 600 });
process.stdin.resume().on('end', () => process.exit(0));
server.start().then(() => console.log('ready'));
