'use strict';

// Ids have six digits, so that all peers send the same number of bytes.
const idOf = (index) => 100000 + (index % 900000);

// Sends items, each with the handle if there is one, as fast as the channel takes them: when `send` returns false, waits until all have been written.
exports.sendItems = async function (channel, count, handle) {
  let unwritten = 0;
  let allWritten = null;
  const written = (error) => {
    if (error) throw error;
    unwritten--;
    if (unwritten === 0 && allWritten) allWritten();
  };
  for (let index = 1; index <= count; index++) {
    const item = { id: idOf(index), name: 'item', ok: index < count };
    unwritten++;
    if (!channel.send(item, handle, { keepOpen: true }, written) && unwritten > 0) {
      await new Promise((resolve) => (allWritten = resolve));
      allWritten = null;
    }
  }
};

exports.sumOfIds = function (count) {
  let sum = 0;
  for (let index = 1; index <= count; index++) sum += idOf(index);
  return sum;
};
