// Follows a flag with the published providers; prints one JSON line per evaluation round.
// Arguments: flagd|ofrep|core ADDRESS FLAG. Each line on stdin is a JSON array of targeting keys; the answer is {key: [variant, value, reason]}.
const readline = require('node:readline');
const { OpenFeature } = require('@openfeature/server-sdk');

async function connect(kind, address) {
  if (kind === 'flagd') {
    const { FlagdProvider } = require('@openfeature/flagd-provider');
    const [host, port] = address.split(':');
    return new FlagdProvider({ resolverType: 'in-process', host, port: Number(port), deadlineMs: 10000, cache: 'disabled' });
  }
  const { OFREPProvider } = require('@openfeature/ofrep-provider');
  return new OFREPProvider({ baseUrl: address });
}

async function main([kind, address, flag]) {
  await OpenFeature.setProviderAndWait(await connect(kind, address));
  const client = OpenFeature.getClient();
  process.stdout.write('ready\n');
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const answers = {};
    for (const targetingKey of JSON.parse(line)) {
      const details = await client.getStringDetails(flag, 'default', { targetingKey });
      answers[targetingKey] = [details.variant, details.value, details.reason];
    }
    process.stdout.write(JSON.stringify(answers) + '\n');
  }
  await OpenFeature.close();
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error) => { process.stderr.write(`${error.stack}\n`); process.exit(1); },
);
