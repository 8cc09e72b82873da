// Preloaded into a child process: when the parent is gone, the child shuts down. Azurite saves its data first.
process.on('disconnect', () => {
  process.emit('message', 'shutdown', undefined);
  setTimeout(() => process.exit(), 3000).unref();
});
// The listener above would otherwise keep the process alive after it has closed its servers.
process.channel?.unref();
