// Events of the streams of one session, so that a client that lost a stream can go on where it was.

import { randomUUID } from "node:crypto";

const MAX_EVENTS = 1000;

export class MemoryEvents {
  #events = [];

  async storeEvent(streamId, message) {
    const eventId = randomUUID();
    this.#events.push({ eventId, streamId, message });
    if (this.#events.length > MAX_EVENTS) {
      this.#events.shift();
    }
    return eventId;
  }

  async getStreamIdForEventId(eventId) {
    return this.#events.find((event) => event.eventId === eventId)?.streamId;
  }

  async replayEventsAfter(lastEventId, { send }) {
    const last = this.#events.findIndex((event) => event.eventId === lastEventId);
    const streamId = this.#events[last]?.streamId;
    for (const event of this.#events.slice(last + 1)) {
      // The first event of a stream carries no message, only its id.
      if (event.streamId === streamId && Object.keys(event.message).length > 0) {
        await send(event.eventId, event.message);
      }
    }
    return streamId;
  }
}
