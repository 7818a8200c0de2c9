// Calls supervisord through the two libraries for it, and prints what comes back, a line a call.
//
// usage: client.js HOST:PORT USER PASSWORD
const { SupervisordClient } = require('node-supervisord');
const supervisord = require('supervisord');

const [address, user, password] = process.argv.slice(2);
const [hostname, port] = address.split(':');

const promising = new SupervisordClient('http://' + address, { username: user, password });
const calling = supervisord.connect({ hostname, port, user, pass: password });
const unknown = supervisord.connect({ hostname, port, user, pass: 'wrong' });

const libraries = {
  promises: (method, ...args) => promising[method](...args),
  callbacks: (method, ...args) => new Promise((resolve, reject) => {
    calling[method](...args, (error, result) => error ? reject(error) : resolve(result));
  }),
  stranger: (method, ...args) => new Promise((resolve, reject) => {
    unknown[method](...args, (error, result) => error ? reject(error) : resolve(result));
  }),
};

// steady takes out what is another at each run.
function steady(result) {
  if (Array.isArray(result)) {
    const all = result.filter(r => !String(r).startsWith('holdfast.')).map(steady); // methods that only one has
    return all.every(r => r && r.group) ? all.sort((a, b) => (a.group + a.name).localeCompare(b.group + b.name)) : all;
  }
  if (result && result.statename && 'pid' in result) {
    for (const key of ['start', 'stop', 'now', 'pid']) result[key] = result[key] > 0;
  }
  return result;
}

async function ask(library, method, ...args) {
  try {
    return steady(await libraries[library](method, ...args));
  } catch (error) {
    return { fault: error.faultCode, string: error.faultString || String(error) };
  }
}

async function call(library, method, ...args) {
  console.log(library, method, JSON.stringify(args), JSON.stringify(await ask(library, method, ...args)));
}

async function until(wanted, library, method, ...args) {
  while (!wanted(await ask(library, method, ...args))) await new Promise(done => setTimeout(done, 20));
  await call(library, method, ...args);
}

async function main() {
  for (const library of ['promises', 'callbacks']) {
    for (const name of ['cat', 'web:a']) await until(info => info.statename === 'RUNNING', library, 'getProcessInfo', name);
    await call(library, 'getAPIVersion');
    await call(library, 'getIdentification');
    await call(library, 'getState');
    await call(library, 'listMethods');
    await call(library, 'methodSignature', 'supervisor.startProcess');
    await call(library, 'getAllProcessInfo');
    await call(library, 'getProcessInfo', 'nosuch');
    await call(library, 'stopProcess', 'cat');
    await call(library, 'stopProcess', 'cat');
    await call(library, 'startProcess', 'cat', true);
    await call(library, 'startProcess', 'cat');
    await call(library, 'startProcess', 'fatal');
    await call(library, 'stopProcessGroup', 'web');
    await call(library, 'startProcessGroup', 'web', false);
    await call(library, 'signalProcess', 'cat', 'URG');
    await call(library, 'signalProcess', 'cat', 'NOSUCH');
    await call(library, 'sendProcessStdin', 'cat', 'héllo <&> 中 😀\n');
    await until(text => text.endsWith('\n'), library, 'readProcessStdoutLog', 'cat', 0, 0);
    await call(library, 'tailProcessStdoutLog', 'cat', 0, 100);
    await call(library, 'readProcessStderrLog', 'cat', 0, 0);
    await call(library, 'clearProcessLogs', 'cat');
    await call(library, 'readLog', 4, 1);
    await call(library, 'reloadConfig');
    await call(library, 'addProcessGroup', 'cat');
    await call(library, 'removeProcessGroup', 'cat');
    await call(library, 'sendRemoteCommEvent', library, 'dätä 中');
    await call(library, 'multicall', [
      { methodName: 'supervisor.stopProcess', params: ['cat'] },
      { methodName: 'supervisor.startProcess', params: ['cat'] },
      { methodName: 'supervisor.nosuch', params: [] },
    ]);
    // Many at once, on as many connections as the client likes.
    const many = await Promise.all(Array.from({ length: 20 }, (_, i) => ask(library, i % 2 ? 'getProcessInfo' : 'getState', ...(i % 2 ? ['cat'] : []))));
    console.log(library, 'many', JSON.stringify(many.map(r => r.statename)));
  }
  await call('stranger', 'getState');
  await call('callbacks', 'stopAllProcesses');
  await call('promises', 'shutdown');
}

main();
