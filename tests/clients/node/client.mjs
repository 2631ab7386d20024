// Runs one OpenFeature provider, and answers the test's commands: a JSON object a line on standard input, one back.
// The packages lie where the first argument says.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const packages = createRequire(`${process.argv[2]}/`);

const KINDS = {
  ofrep: openServer(({ url }) => new (packages("@openfeature/ofrep-provider").OFREPProvider)({ baseUrl: url, timeoutMs: 90000 })),
  flagd: openServer(({ host, port, selector }) => {
    const { FlagdProvider } = packages("@openfeature/flagd-provider");
    return new FlagdProvider({
      resolverType: "in-process", host, port, selector, deadlineMs: 90000, retryBackoffMs: 100, retryBackoffMaxMs: 200,
    });
  }),
  "ofrep-web": openWeb,
};

function openServer(make) {
  return async (options) => {
    const { OpenFeature, ProviderEvents } = packages("@openfeature/server-sdk");
    const client = OpenFeature.getClient();
    const changes = counting((count) => client.addHandler(ProviderEvents.ConfigurationChanged, count));
    await OpenFeature.setProviderAndWait(make(options));
    return { changes, ask: (question) => details(client, question, question.context), close: () => OpenFeature.close() };
  };
}

async function openWeb({ url }) {
  globalThis.EventSource = packages("eventsource").EventSource;
  const { OpenFeature, ProviderEvents } = packages("@openfeature/web-sdk");
  const { OFREPWebProvider } = packages("@openfeature/ofrep-web-provider");
  const client = OpenFeature.getClient();
  const changes = counting((count) => client.addHandler(ProviderEvents.ConfigurationChanged, count));
  // No polling: what it learns of changes it learns from the event stream.
  const provider = new OFREPWebProvider({ baseUrl: url, timeoutMs: 90000, pollInterval: 0, cacheMode: "disabled" });
  await OpenFeature.setProviderAndWait(provider, {});
  return {
    changes,
    ask: async (question) => {
      await OpenFeature.setContext(question.context);
      return details(client, question);
    },
    close: () => OpenFeature.close(),
  };
}

async function details(client, { key, type, fallback }, context) {
  const asked = { boolean: "getBooleanDetails", string: "getStringDetails", number: "getNumberDetails" };
  const found = await client[asked[type] ?? "getObjectDetails"](key, fallback, context);
  const { value, variant = null, reason, errorCode = null, flagMetadata: metadata } = found;
  return { value, variant, reason, errorCode, metadata };
}

function counting(listen) {
  const changes = { seen: 0, happened: 0, wake: () => {} };
  listen(() => { changes.happened += 1; changes.wake(); });
  return changes;
}

async function changed(changes) {
  while (changes.happened === changes.seen) {
    await new Promise((resolve) => { changes.wake = resolve; });
  }
  changes.seen = changes.happened;
}

let running;
for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  let answer;
  try {
    if (command.open) {
      running = await KINDS[command.open](command);
      answer = {};
    } else if (command.ask) {
      answer = [];
      for (const question of command.ask) answer.push(await running.ask(question));
    } else {
      await changed(running.changes);
      answer = {};
    }
  } catch (error) {
    answer = { failure: String(error?.stack ?? error) };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
await running?.close();
process.exit(0);
