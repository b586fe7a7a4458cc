// Filter expressions: `phase = EarlyStopped and learning_rate < 0.01`, or plain words that are searched for.
export type Field = (name: string) => string | number | undefined;
export type Filter = (field: Field, text: string) => boolean;
export type Parsed = { filter: Filter; error?: undefined } | { filter?: undefined; error: string };

const TOKEN = /\s*(<=|>=|!=|~|=|<|>|\(|\)|"[^"]*"|[^\s()<>=!~"]+)/y;
const COMPARE = new Set(["=", "!=", "<", "<=", ">", ">=", "~"]);

/** Parse an expression; the names are those that may stand before a comparison. */
export function parseFilter(text: string, names: readonly string[]): Parsed {
  const tokens = split(text);
  if (tokens === null) return { error: "a quotation mark is not closed" };
  if (tokens.length === 0) return { filter: () => true };
  if (!tokens.some((token) => COMPARE.has(token))) {
    const words = tokens.map((token) => unquoted(token).toLowerCase());
    return { filter: (_field, row) => words.every((word) => row.toLowerCase().includes(word)) };
  }
  try {
    const reader = new Reader(tokens, names);
    const filter = reader.either();
    reader.end();
    return { filter };
  } catch (error) {
    return { error: (error as Error).message };
  }
}

function split(text: string): string[] | null {
  const tokens: string[] = [];
  let at = 0;
  while (text.slice(at).trim() !== "") {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text);
    if (!match?.[1]) return null;
    tokens.push(match[1]);
    at = TOKEN.lastIndex;
  }
  return tokens;
}

const unquoted = (token: string): string => token.replace(/^"|"$/g, "");

class Reader {
  private at = 0;

  constructor(private readonly tokens: string[], private readonly names: readonly string[]) {}

  either(): Filter {
    const parts = [this.both()];
    while (this.word("or")) parts.push(this.both());
    return (field, text) => parts.some((part) => part(field, text));
  }

  end(): void {
    const rest = this.tokens[this.at];
    if (rest !== undefined) throw new Error(`"${rest}" is not expected: put "and" or "or" before it`);
  }

  private both(): Filter {
    const parts = [this.single()];
    while (this.word("and")) parts.push(this.single());
    return (field, text) => parts.every((part) => part(field, text));
  }

  private single(): Filter {
    if (this.word("not")) {
      const inner = this.single();
      return (field, text) => !inner(field, text);
    }
    if (this.word("(")) {
      const inner = this.either();
      if (!this.word(")")) throw new Error('a ")" is missing');
      return inner;
    }
    return this.comparison();
  }

  private comparison(): Filter {
    const name = unquoted(this.next("a column"));
    const known = this.names.find((each) => each.toLowerCase() === name.toLowerCase());
    if (known === undefined) throw new Error(`there is no column "${name}"; there are: ${this.names.join(", ")}`);
    const sign = this.next("a comparison");
    if (!COMPARE.has(sign)) throw new Error(`"${sign}" is no comparison: write =, !=, <, <=, >, >= or ~ (contains)`);
    const wanted = unquoted(this.next("a value"));
    return (field) => compare(field(known), sign, wanted);
  }

  private next(what: string): string {
    const token = this.tokens[this.at++];
    if (token === undefined) throw new Error(`${what} is missing at the end`);
    return token;
  }

  private word(word: string): boolean {
    if (this.tokens[this.at]?.toLowerCase() !== word) return false;
    this.at++;
    return true;
  }
}

function compare(value: string | number | undefined, sign: string, wanted: string): boolean {
  const text = value === undefined ? "" : String(value);
  if (sign === "~") return text.toLowerCase().includes(wanted.toLowerCase());
  const [a, b] = [Number(text), Number(wanted)];
  const numbers = text !== "" && !Number.isNaN(a) && !Number.isNaN(b);
  if (sign === "=" || sign === "!=") {
    const same = numbers ? a === b : text.toLowerCase() === wanted.toLowerCase();
    return (sign === "=") === same;
  }
  if (!numbers) return false;
  return sign === "<" ? a < b : sign === "<=" ? a <= b : sign === ">" ? a > b : a >= b;
}
