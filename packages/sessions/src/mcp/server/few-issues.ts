import type { StandardSchemaWithJSON } from '@modelcontextprotocol/server';

/** The maximum number of reported issues: a model cannot correct more at once. */
const MAX_ISSUES = 20;

/**
 * The same schema, limited to 20 reported issues and the number of the others. The SDK joins all issues into one text:
 * without the limit, the error for a table with only wrong cells would be 20 times as large as the table.
 */
export function withFewIssues(schema: StandardSchemaWithJSON): StandardSchemaWithJSON {
  const inner = schema['~standard'];
  return {
    '~standard': {
      ...inner,
      validate: async (value, options) => {
        const result = await inner.validate(value, options);
        const { issues = [] } = result;
        if (issues.length <= MAX_ISSUES) return result;
        const message = `and ${issues.length - MAX_ISSUES} more`;
        return { issues: [...issues.slice(0, MAX_ISSUES), { message }] };
      },
    },
  };
}
