// Lets @chat-adapter/whatsapp write to a customer: NODE_PATH=…/node_modules node client.mjs URL TOKEN NUMBER CUSTOMER MESSAGE
//
// Prints what each of its calls came to as one line of JSON.
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';

const [url, accessToken, phoneNumberId, customer, received] = process.argv.slice(2);
const modules = process.env.NODE_PATH;
const load = (name) => import(pathToFileURL(createRequire(path.join(modules, 'x')).resolve(path.join(modules, name))));
const { createWhatsAppAdapter } = await load('@chat-adapter/whatsapp/dist/index.js');
const { Card, CardText, Actions, Button } = await load('chat/dist/index.js');

const adapter = createWhatsAppAdapter({ apiUrl: url, accessToken, phoneNumberId, appSecret: 'x', verifyToken: 'x' });
const thread = adapter.encodeThreadId({ phoneNumberId, userWaId: customer });
const choices = Actions([Button({ id: 'yes', label: 'Yes' }), Button({ id: 'no', label: 'No' })]);
const component = { type: 'body', parameters: [{ type: 'text', text: 'It left today.' }] };
const calls = {
  text: () => adapter.postMessage(thread, 'Where is my order? 🎉'),
  buttons: () => adapter.postMessage(thread, Card({ title: 'Order', children: [CardText('Shall we?'), choices] })),
  file: () => adapter.postMessage(thread, {
    markdown: 'the invoice',
    files: [{ data: Buffer.from('%PDF-1.4'), filename: 'invoice.pdf', mimeType: 'application/pdf' }],
  }),
  template: () => adapter.sendTemplate(thread, { name: 'follow_up', language: 'en_GB', components: [component] }),
  missing: () => adapter.sendTemplate(thread, { name: 'nothing_of_ours', language: 'en_GB', components: [component] }),
  read: () => adapter.markAsRead(received),
  stranger: () => adapter.postMessage(adapter.encodeThreadId({ phoneNumberId, userWaId: '4400' }), 'hello'),
};
const made = {};
for (const [name, call] of Object.entries(calls)) {
  try {
    const result = await call();
    made[name] = result?.id ?? 'done';
  } catch (error) {
    made[name] = `${error.name}: ${error.message}`;
  }
}
console.log(JSON.stringify(made));
