/** Next.js calls this when the server starts. With `NEXT_MANUAL_SIG_HANDLE=true`, the app handles signals. */
export async function register(): Promise<void> {
  if (process.env.NEXT_RUNTIME !== 'nodejs') return;
  const { notesSessions } = await import('./sessions');
  // Lets calls finish, then logs every user out.
  process.once(
    'SIGTERM',
    () =>
      void notesSessions()
        .close()
        .finally(() => process.exit(0)),
  );
}
