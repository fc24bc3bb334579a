/** A value of a metric. */
interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

/** A metric with its samples. */
export interface MetricFamily {
  readonly name: string;
  readonly help: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly samples: Sample[];
}

const HELP = /^# HELP ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/;
const TYPE = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram)$/;
/** Prometheus takes other lines with `#` for comments. */
const COMMENT = /^# (?!HELP|TYPE)/;
const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? ([-+.\deE]+|NaN|[-+]Inf)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,|$)/y;

/**
 * Parses what Prometheus reads from `/metrics` (Exposition formats, text format 0.0.4), and checks it.
 * @throws Error at the first line that does not conform, at a metric or a series that is there twice, and at a histogram
 * whose buckets do not add up
 */
export function metricFamilies(text: string): MetricFamily[] {
  if (!text.endsWith('\n')) throw new Error('The last line does not end.');
  const families: MetricFamily[] = [];
  let help: RegExpExecArray | null = null;
  for (const line of text.split('\n').filter((each) => each !== '')) {
    const type = TYPE.exec(line);
    if (type) {
      if (help?.[1] !== type[1]) throw new Error(`No HELP before: ${line}`);
      if (families.some(({ name }) => name === type[1])) throw new Error(`Twice: ${line}`);
      const [, name = '', kind] = type;
      // The pattern has no other kinds.
      families.push({ name, help: help?.[2] ?? '', type: kind as MetricFamily['type'], samples: [] });
    } else if (HELP.test(line)) help = HELP.exec(line);
    else if (!COMMENT.test(line)) addSample(line, families.at(-1));
  }
  for (const family of families) if (family.type === 'histogram') checkHistogram(family);
  return families;
}

function addSample(line: string, family: MetricFamily | undefined): void {
  const [, name = '', labels = '', value = ''] = SAMPLE.exec(line) ?? [];
  const suffixes = family?.type === 'histogram' ? ['_bucket', '_count', '_sum'] : [''];
  if (!family || !suffixes.some((suffix) => name === family.name + suffix))
    throw new Error(`Not a sample of ${family?.name}: ${line}`);
  const sample = { name, labels: labelsIn(labels), value: Number(value.replace('Inf', 'Infinity')) };
  const key = ({ name: of, labels: own }: Sample) => JSON.stringify([of, Object.entries(own).sort()]);
  if (family.samples.some((other) => key(other) === key(sample))) throw new Error(`Twice: ${line}`);
  family.samples.push(sample);
}

function labelsIn(text: string): Record<string, string> {
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < text.length) {
    const at = LABEL.lastIndex;
    const [, name, value] = LABEL.exec(text) ?? [];
    if (name === undefined || value === undefined || name in labels)
      throw new Error(`Not labels: ${text.slice(at)}`);
    labels[name] = value;
  }
  return labels;
}

/** The buckets of a series do not decrease, and the last one is the count. */
function checkHistogram({ name, samples }: MetricFamily): void {
  const keyOf = ({ le: _, ...others }: Readonly<Record<string, string>>) =>
    JSON.stringify(Object.entries(others).sort());
  for (const count of samples.filter((sample) => sample.name === `${name}_count`)) {
    const buckets = samples.filter(
      (sample) => sample.name === `${name}_bucket` && keyOf(sample.labels) === keyOf(count.labels),
    );
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('Inf', 'Infinity')));
    const isOrdered = (values: readonly number[]) =>
      values.every((value, index) => index === 0 || value >= (values[index - 1] ?? 0));
    const isComplete = bounds.at(-1) === Number.POSITIVE_INFINITY && buckets.at(-1)?.value === count.value;
    if (!isOrdered(bounds) || !isOrdered(buckets.map(({ value }) => value)) || !isComplete)
      throw new Error(`The buckets of ${name} do not add up.`);
  }
}
