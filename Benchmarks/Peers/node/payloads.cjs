// What the payload workloads send, and what a receiver adds up: something of every depth of a record, or the length.
'use strict';

const { idOf } = require('./items.cjs');

const record = (index) => ({
  id: idOf(index),
  name: 'sensor 17',
  active: true,
  score: 98.25,
  tags: ['north', 'roof'],
  place: { x: 12, y: -7 },
  note: 'last seen today',
});

const bytes = (size, byteOf) => {
  const buffer = Buffer.alloc(size);
  for (let index = 0; index < size; index++) buffer[index] = byteOf(index);
  return buffer;
};

exports.make = function (kind, size) {
  if (kind === 'records') return Array.from({ length: size }, (_, index) => record(index + 1));
  if (kind === 'integers') return Array.from({ length: size }, (_, index) => idOf(index));
  if (kind === 'string') return bytes(size, (index) => (index % 64 === 63 ? 10 : 97 + (index % 23))).toString('latin1');
  return bytes(size, (index) => index % 251);
};

const checksums = {
  records: (records) => {
    let sum = 0;
    for (const record of records) sum += record.id + record.place.x + record.tags.length;
    return sum;
  },
  integers: (integers) => integers.reduce((sum, integer) => sum + integer, 0),
  string: (text) => text.length,
  bytes: (buffer) => buffer.byteLength,
};
exports.checksum = (kind, value) => checksums[kind](value);

// The whole text or all bytes: asked for once, because that is not what is measured.
exports.isWhole = function (kind, size, value) {
  if (kind === 'records' || kind === 'integers') return true;
  const expected = exports.make(kind, size);
  return kind === 'string' ? value === expected : expected.equals(value);
};
