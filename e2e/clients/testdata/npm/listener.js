// An event listener that writes down what it gets. usage: listener.js FILE
const fs = require('fs');
const listener = require('supervisord-eventlistener');

listener.on('event', (name, headers, data) => {
  delete headers.serial; // the other pools' events have numbers too
  delete headers.len; // the pids in them are not always as long
  fs.appendFileSync(process.argv[2], JSON.stringify([name, headers, data]) + '\n');
});
listener.listen(process.stdin, process.stdout);
