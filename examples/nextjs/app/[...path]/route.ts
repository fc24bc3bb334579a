import { notesSessions } from '../../sessions';

// Serves /mcp and the pages of a login. Pages and routes of the app take precedence.
const serve = (request: Request): Promise<Response> => notesSessions().handleRequest(request);

export { serve as DELETE, serve as GET, serve as OPTIONS, serve as POST };
