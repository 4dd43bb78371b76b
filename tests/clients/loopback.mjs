// Loaded before a server program that binds every interface: makes it bind HOST, loopback if unset.
//
// A test must not open a port to the network, and `server-everything` has no setting for the address.

import { Server } from "node:net";

const listen = Server.prototype.listen;
Server.prototype.listen = function listenOnHost(port, ...rest) {
  const isPort = typeof port === "number" || /^\d+$/.test(port);
  const host = isPort && typeof rest[0] !== "string" ? [process.env.HOST ?? "127.0.0.1"] : [];
  return listen.call(this, port, ...host, ...rest);
};
