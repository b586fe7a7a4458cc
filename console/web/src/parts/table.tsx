// A table of any length: only the rows in sight are there.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { Icon } from "./icons";

export interface Column<T> {
  key: string;
  title: string;
  number?: boolean;
  cell: (row: T) => ComponentChildren;
  sort?: (row: T) => number | string;
  hint?: string;
}
export interface Sorting { key: string; down: boolean }

export function sortRows<T>(rows: T[], columns: Column<T>[], sorting: Sorting): T[] {
  const by = columns.find((column) => column.key === sorting.key)?.sort;
  if (!by) return rows;
  const sign = sorting.down ? -1 : 1;
  return [...rows].sort((left, right) => {
    const [a, b] = [by(left), by(right)];
    // What is not known stands at the end, whichever the direction.
    const [noA, noB] = [a === "" || Number.isNaN(a), b === "" || Number.isNaN(b)];
    if (noA || noB) return Number(noA) - Number(noB);
    return (a < b ? -1 : a > b ? 1 : 0) * sign;
  });
}

export function parseSorting(text: string): Sorting {
  return text.startsWith("-") ? { key: text.slice(1), down: true } : { key: text, down: false };
}

export function Heads<T>({ columns, sorting, onSort }: { columns: Column<T>[]; sorting: Sorting; onSort: (text: string) => void }): JSX.Element {
  return (
    <tr>
      {columns.map((column) => {
        const here = column.key === sorting.key;
        return (
          <th key={column.key} scope="col" class={column.number ? "number" : ""} title={column.hint}
            aria-sort={here ? (sorting.down ? "descending" : "ascending") : undefined}>
            {column.sort ? (
              <button type="button" onClick={() => onSort(here && !sorting.down ? `-${column.key}` : column.key)}>
                {column.title}
                {here && <Icon name={sorting.down ? "down" : "up"} />}
              </button>
            ) : column.title || <span class="hidden">Select</span>}
          </th>
        );
      })}
    </tr>
  );
}

const ROW = 36;
const MORE = 12;

export function VirtualTable<T>({ rows, columns, sorting, onSort, id, rowClass, label }: {
  rows: T[]; columns: Column<T>[]; sorting: Sorting; onSort: (text: string) => void;
  id: (row: T) => string; rowClass?: (row: T) => string; label: string;
}): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [range, setRange] = useState<[number, number]>([0, 40]);
  const update = (): void => {
    const element = box.current;
    if (!element) return;
    const first = Math.max(0, Math.floor(element.scrollTop / ROW) - MORE);
    const last = Math.ceil((element.scrollTop + element.clientHeight) / ROW) + MORE;
    setRange((before) => (before[0] === first && before[1] === last ? before : [first, last]));
  };
  useEffect(update, [rows.length]);
  const sorted = sortRows(rows, columns, sorting);
  const shown = sorted.slice(range[0], range[1]);
  const below = Math.max(0, sorted.length - range[0] - shown.length);
  return (
    <div class="virtual" ref={box} onScroll={update} tabIndex={0} role="region" aria-label={label}>
      <table aria-rowcount={sorted.length}>
        <thead><Heads columns={columns} sorting={sorting} onSort={onSort} /></thead>
        <tbody>
          {range[0] > 0 && <tr aria-hidden="true" style={{ height: `${range[0] * ROW}px` }}><td colSpan={columns.length} /></tr>}
          {shown.map((row, index) => (
            <tr key={id(row)} class={rowClass?.(row)} aria-rowindex={range[0] + index + 1}>
              {columns.map((column) => <td key={column.key} class={column.number ? "number" : ""}>{column.cell(row)}</td>)}
            </tr>
          ))}
          {below > 0 && <tr aria-hidden="true" style={{ height: `${below * ROW}px` }}><td colSpan={columns.length} /></tr>}
        </tbody>
      </table>
    </div>
  );
}
