'use strict';

// Ids have six digits, so that all peers send the same number of bytes.
const idOf = (index) => 100000 + (index % 900000);

// Sends messages, each with the handle if there is one, as fast as the channel takes them: when `send` returns false,
// waits until all have been written.
const sendAll = async function (channel, count, messageOf, handle) {
  let unwritten = 0;
  let allWritten = null;
  const written = (error) => {
    if (error) throw error;
    unwritten--;
    if (unwritten === 0 && allWritten) allWritten();
  };
  for (let index = 1; index <= count; index++) {
    unwritten++;
    if (!channel.send(messageOf(index), handle, { keepOpen: true }, written) && unwritten > 0) {
      await new Promise((resolve) => (allWritten = resolve));
      allWritten = null;
    }
  }
};

exports.idOf = idOf;
exports.sendAll = sendAll;

exports.sendItems = (channel, count, handle) =>
  sendAll(channel, count, (index) => ({ id: idOf(index), name: 'item', ok: index < count }), handle);

exports.sumOfIds = function (count) {
  let sum = 0;
  for (let index = 1; index <= count; index++) sum += idOf(index);
  return sum;
};
