// Resolves host names below `.test` to this machine (RFC 6761), as a file of hosts would.
const dns = require('node:dns');
const { lookup } = dns;
dns.lookup = (hostname, ...rest) => lookup(hostname.endsWith('.test') ? '127.0.0.1' : hostname, ...rest);
