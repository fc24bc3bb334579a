import type { Page } from 'playwright-core';

type Rgb = readonly [red: number, green: number, blue: number];

/** Two colours that need a contrast. */
interface Pair {
  readonly what: string;
  readonly color: Rgb;
  readonly background: Rgb;
}

/** The size of a control. */
interface Target {
  readonly label: string;
  readonly width: number;
  readonly height: number;
}

/** The appearance of a page, measured in the browser. */
export interface Appearance {
  readonly language: string;
  readonly title: string;
  readonly headings: readonly string[];
  /** The pixels by which the page is wider than the window. */
  readonly overflowPx: number;
  readonly background: Rgb;
  readonly texts: readonly Pair[];
  /** The borders of text fields. */
  readonly fields: readonly Pair[];
  readonly targets: readonly Target[];
}

/** Measures a page. Colours are measured as painted, in any notation. */
export function appearanceOf(page: Page): Promise<Appearance> {
  return page.evaluate(() => {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = 1;
    const brush = canvas.getContext('2d', { willReadFrequently: true });
    if (!brush) throw new Error('This browser cannot draw.');

    /** The colour that results from painting these over one another. */
    const painted = (colors: string[]): [number, number, number] => {
      brush.clearRect(0, 0, 1, 1);
      for (const color of colors) {
        brush.fillStyle = color;
        brush.fillRect(0, 0, 1, 1);
      }
      const [red = 0, green = 0, blue = 0] = brush.getImageData(0, 0, 1, 1).data;
      return [red, green, blue];
    };
    const backgroundsOf = (element: Element | null): string[] =>
      element ? [...backgroundsOf(element.parentElement), getComputedStyle(element).backgroundColor] : [];
    const pair = (what: string, color: string, around: Element | null) => {
      const backgrounds = backgroundsOf(around);
      return { what, color: painted([...backgrounds, color]), background: painted(backgrounds) };
    };

    const texts: ReturnType<typeof pair>[] = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let node = walker.nextNode(); node; node = walker.nextNode()) {
      const element = node.parentElement;
      const text = node.nodeValue?.trim();
      if (!element || !text || !element.checkVisibility()) continue;
      texts.push(pair(text, getComputedStyle(element).color, element));
    }
    const fields = [...document.querySelectorAll('input:not([type=hidden])')].map((field) =>
      pair(
        `field ${field.getAttribute('name')}`,
        getComputedStyle(field).borderTopColor,
        field.parentElement,
      ),
    );
    const targets = [...document.querySelectorAll('a, button, input:not([type=hidden])')].map((target) => {
      const { width, height } = target.getBoundingClientRect();
      return { label: target.textContent || `field ${target.getAttribute('name')}`, width, height };
    });
    return {
      language: document.documentElement.lang,
      title: document.title,
      headings: [...document.querySelectorAll('h1')].map((heading) => heading.textContent ?? ''),
      overflowPx: document.documentElement.scrollWidth - document.documentElement.clientWidth,
      background: painted(backgroundsOf(document.body)),
      texts,
      fields,
      targets,
    };
  });
}

/** The focused element and its focus ring. */
export interface Focus {
  readonly label: string;
  readonly isVisible: boolean;
  readonly ringWidthPx: number;
  readonly ring: Pair;
}

export function focusOf(page: Page): Promise<Focus> {
  return page.evaluate(() => {
    const element = document.activeElement ?? document.body;
    const style = getComputedStyle(element);
    const card = getComputedStyle(document.querySelector('main') ?? document.body).backgroundColor;
    const channels = (color: string) => {
      const [red = 0, green = 0, blue = 0] = (color.match(/[\d.]+/g) ?? []).map(Number);
      return [red, green, blue] as const;
    };
    return {
      label: element.textContent?.trim() ?? '',
      isVisible: element.matches(':focus-visible') && style.outlineStyle !== 'none',
      ringWidthPx: Number.parseFloat(style.outlineWidth),
      ring: { what: 'focus ring', color: channels(style.outlineColor), background: channels(card) },
    };
  });
}

/** The contrast ratio: 1 for equal colours, 21 for black on white (WCAG 2.2, "contrast ratio"). */
export function contrast({ color, background }: Pair): number {
  const [darker = 0, lighter = 0] = [luminance(color), luminance(background)].sort((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
}

/** The relative luminance: 0 for black, 1 for white (WCAG 2.2, "relative luminance"). */
export function luminance([red, green, blue]: Rgb): number {
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function linear(channel: number): number {
  const value = channel / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}
