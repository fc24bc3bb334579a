const data = (svg: string) => `data:image/svg+xml;base64,${Buffer.from(svg).toString('base64')}`;

/** A typical logo. */
export const LOGO: string = data(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><rect width="40" height="40" rx="10" fill="#e8a317"/><path d="M12 14h16M12 20h16M12 26h9" stroke="#3b2a00" stroke-width="3" stroke-linecap="round"/></svg>',
);

/** A logo with a script and a picture from another host. */
export const ACTIVE_LOGO: string = data(
  '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 40 40"><script>parent.document.title = "run"</script><image href="http://elsewhere.test/seen.png" width="40" height="40"/><rect width="20" height="20"/></svg>',
);
