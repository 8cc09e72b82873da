// Loaded into a child process before its own code: ends it when its parent is gone, so that no orphan stays behind.
process.on('disconnect', () => process.exit());
