import { join } from 'node:path';
import type {
  AccountFailureReason,
  EndReason,
  GrantNonconformance,
  LoginCheck,
  LoginFailure,
  LoginFlow,
  LogoutTokenFault,
  ProviderFailureReason,
  RefreshError,
  Revocation,
  SessionError,
  SessionErrorCode,
  SessionEvent,
  SessionKind,
  SignOutReason,
  TokenFaultReason,
} from 'mcp-sessions';
import ts from 'typescript';
import { describe, expect, expectTypeOf, it } from 'vitest';

const PACKAGE = join(import.meta.dirname, '../packages/sessions/dist');
const ENTRIES = ['index.d.ts', 'presets/index.d.ts', 'testing/index.d.ts'].map((name) => join(PACKAGE, name));

/** The names of the package's own types that the declarations of exported names use, and that no entry exports. */
function missingExports(): string[] {
  const program = ts.createProgram(ENTRIES, { module: ts.ModuleKind.NodeNext, noLib: true, types: [] });
  const checker = program.getTypeChecker();
  const resolved = (symbol: ts.Symbol) =>
    symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  const exported = new Set<ts.Symbol>();
  for (const entry of ENTRIES) {
    const source = program.getSourceFile(entry);
    const module = source && checker.getSymbolAtLocation(source);
    if (!module) throw new Error(`${entry} is no module. Build the package first.`);
    for (const symbol of checker.getExportsOfModule(module)) exported.add(resolved(symbol));
  }
  const missing = new Set<string>();
  const visit = (node: ts.Node, user: string): void => {
    if (ts.isTypeReferenceNode(node)) check(node.typeName, user);
    if (ts.isExpressionWithTypeArguments(node)) check(node.expression, user);
    if (ts.isTypeQueryNode(node)) check(node.exprName, user);
    ts.forEachChild(node, (child) => visit(child, user));
  };
  const check = (name: ts.Node, user: string): void => {
    const symbol = checker.getSymbolAtLocation(name);
    const target = symbol && resolved(symbol);
    const isOwn = target?.declarations?.some(
      (each) => each.getSourceFile().fileName.startsWith(PACKAGE) && !ts.isTypeParameterDeclaration(each),
    );
    if (target && isOwn && !exported.has(target)) missing.add(`${target.name}, in ${user}`);
  };
  for (const symbol of exported) {
    for (const declaration of symbol.declarations ?? []) visit(declaration, symbol.name);
  }
  return [...missing];
}

/** What an operator's program does: one function for each kind of reason. It compiles only if every type is public. */
const ofReason = {
  kind: (kind: SessionKind) => kind,
  signOut: (reason: SignOutReason) => reason,
  end: (reason: EndReason) => reason,
  token: (reason: TokenFaultReason) => reason,
  login: (flow: LoginFlow, check: LoginCheck) => `${flow} ${check}`,
  failedLogin: (failure: LoginFailure) => failure,
  failedProvider: (reason: ProviderFailureReason) => reason,
  logoutToken: (fault: LogoutTokenFault) => fault,
  failedAccount: (reason: AccountFailureReason) => reason,
  rejected: (error: RefreshError | undefined) => error ?? 'no code',
  nonconformance: (part: GrantNonconformance) => part,
  revocation: (revocation: Revocation) => revocation,
};

function textOf(event: SessionEvent): string {
  switch (event.type) {
    case 'session.started':
      return `${event.session} ${event.logId} ${ofReason.kind(event.kind)}`;
    case 'session.signed_out':
      return ofReason.signOut(event.reason);
    case 'session.ended':
      return ofReason.end(event.reason);
    case 'session.refused':
    case 'login.refused':
      return event.reason;
    case 'session.expires_soon':
    case 'session.not_owned':
      return event.session;
    case 'token.refused':
      return `${ofReason.token(event.reason)}: ${event.fault}`;
    case 'login.started':
      return ofReason.login(event.flow, event.check);
    case 'login.failed':
      return `${ofReason.failedLogin(event.failure)} ${event.reason && ofReason.failedProvider(event.reason)}`;
    case 'provider.failed':
      return `${ofReason.failedProvider(event.reason)} ${event.setting ?? ''} ${event.advice}`;
    case 'logout.refused':
      return ofReason.logoutToken(event.reason);
    case 'account.authenticated':
    case 'account.refreshed':
    case 'account.moved':
    case 'account.expires_soon':
      return `${event.provider} ${event.subject} ${event.generation}`;
    case 'account.refresh_failed':
      return `${ofReason.failedAccount(event.failureReason)} ${ofReason.rejected(event.oauthError)}`;
    case 'account.reauthentication_required':
      return ofReason.failedAccount(event.failureReason);
    case 'account.nonconforming_answer':
      return ofReason.nonconformance(event.nonconformance);
    case 'account.removed':
      return event.subject;
    case 'account.revoked':
      return `${event.subject ?? 'unknown'} ${ofReason.revocation(event.revocation)}`;
  }
}

describe('the types of the package', () => {
  it('that an exported name uses are exported, too', () => {
    expect(missingExports()).toEqual([]);
  });

  it('let a program branch on every event, with functions of its own for the reasons', () => {
    const ids = { session: 'AAAAAAAAAAAAAAAAAAAAAA', logId: 'abcdef012345' };
    const account = { ...ids, provider: 'github', subject: 'alice', generation: 1, refreshAtMs: undefined };
    const failed = { ...account, failureReason: 'provider_refused', oauthError: 'invalid_client' } as const;
    expect(textOf({ ...failed, type: 'account.refresh_failed' })).toBe('provider_refused invalid_client');
    expectTypeOf<SessionError['code']>().toEqualTypeOf<SessionErrorCode>();
  });
});
