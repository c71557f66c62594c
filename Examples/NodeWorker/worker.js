// A worker as it may exist already: stock Node.js, and nothing of swift-fork. It makes slugs of titles.
'use strict';

process.on('message', ({ title }) => {
  const slug = title
    .normalize('NFKD')
    .replace(/\p{M}/gu, '')
    .toLowerCase()
    .match(/[\p{L}\p{N}]+/gu)
    .join('-');
  process.send({ title, slug });
});
