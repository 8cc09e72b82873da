// Loaded into Azurite's process before its own code: when the parent is gone, Azurite stores what it holds and ends.
process.on('disconnect', () => {
  process.emit('message', 'shutdown', undefined);
  setTimeout(() => process.exit(), 3000).unref();
});
// Listening keeps the channel open, and with it a process that has closed its servers.
process.channel?.unref();
