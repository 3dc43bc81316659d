import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import { number } from '../format.ts';
import { t, textFor } from '../texts/texts.ts';
import type { OptionSpec } from './schema.ts';

/** A value of an option; undefined stands for its default. */
export type OptionValue = string | number | boolean | undefined;

interface FieldProps {
  readonly spec: OptionSpec;
  readonly value: OptionValue;
  readonly onChange: (value: OptionValue) => void;
  readonly off?: boolean;
  /** Values that make sense for this input, drawn below a slider. */
  readonly sensible?: { readonly lowest: number; readonly highest: number } | undefined;
}

/** The widest range that a slider can be set in by hand. */
const SLIDER_STEPS = 300;

/** An option as what fits it: a slider, segments, a menu, a switch, or a line of text. */
export function Field(props: FieldProps) {
  const { spec } = props;
  if (spec.kind === 'switch') return <SwitchField {...props} />;
  if (spec.kind === 'choice') return spec.choices.length <= 3 ? <Segments {...props} /> : <Menu {...props} />;
  const isRange = spec.min !== undefined && spec.max !== undefined && spec.max - spec.min <= SLIDER_STEPS;
  return spec.kind === 'number' && isRange ? <Slider {...props} /> : <Line {...props} />;
}

function labelOf({ name }: OptionSpec): string {
  return textFor(`option.${name}`) ?? name;
}

function hintOf({ name, description }: OptionSpec): string {
  return textFor(`option.${name}.hint`) ?? (textFor(`option.${name}`) ? '' : description);
}

function wordOf({ name }: OptionSpec, choice: string): string {
  return textFor(`option.${name}.${choice}`) ?? textFor(`${name}.${choice}`) ?? choice;
}

function Slider({ spec, value, onChange, off, sensible }: FieldProps) {
  const id = useId();
  const { min = 0, max = 100, standard = min, unit } = spec;
  const now = Number(value ?? standard);
  const place = (at: number) => (Math.min(max, Math.max(min, at)) - min) / (max - min);
  const slide = (share: number) => `calc(9px + (100% - 18px) * ${share.toFixed(4)})`;
  return (
    <div class={off ? 'field off' : 'field'}>
      <div class="head">
        <label for={id}>{labelOf(spec)}</label>
        <output for={id}>
          <b>{number(now)}</b> {unit && /^[a-z]+$/.test(unit) ? unit : ''}
        </output>
      </div>
      <div class="range">
        <input
          {...{ id, type: 'range', min, max, step: 1, value: now, disabled: off }}
          style={{ '--at': slide(place(now)) }}
          aria-describedby={`${id}-hint`}
          onInput={(event) => onChange(Number(event.currentTarget.value))}
          onDblClick={() => onChange(undefined)}
        />
        {sensible && (
          <i
            class="sensible"
            style={{
              left: slide(place(sensible.lowest)),
              right: `calc(100% - ${slide(place(sensible.highest))})`,
            }}
          />
        )}
      </div>
      <Hint id={`${id}-hint`}>
        {sensible ? t('tune.sensible', { lowest: sensible.lowest, highest: sensible.highest }) : hintOf(spec)}
      </Hint>
    </div>
  );
}

function Segments({ spec, value, onChange, off }: FieldProps) {
  const name = useId();
  const now = value ?? spec.standard;
  return (
    <fieldset class={off ? 'field off' : 'field'} disabled={off}>
      <legend>{labelOf(spec)}</legend>
      <div class="segments">
        {spec.choices.map((choice) => (
          <label key={choice}>
            <input {...{ type: 'radio', name, checked: choice === now }} onChange={() => onChange(choice)} />
            {wordOf(spec, choice)}
          </label>
        ))}
      </div>
      <Hint>{hintOf(spec)}</Hint>
    </fieldset>
  );
}

function Menu({ spec, value, onChange, off }: FieldProps) {
  const id = useId();
  const now = String(value ?? spec.standard ?? '');
  return (
    <div class="field">
      <label for={id}>{labelOf(spec)}</label>
      <select
        {...{ id, value: now, disabled: off }}
        onChange={(event) => onChange(event.currentTarget.value)}
      >
        {spec.choices.map((choice) => (
          <option key={choice} value={choice}>
            {wordOf(spec, choice)}
          </option>
        ))}
      </select>
      <Hint>{hintOf(spec)}</Hint>
    </div>
  );
}

function SwitchField({ spec, value, onChange, off }: FieldProps) {
  const id = useId();
  return (
    <div class="field switch">
      <label for={id}>{labelOf(spec)}</label>
      <input
        {...{ id, type: 'checkbox', role: 'switch', checked: Boolean(value ?? spec.standard), disabled: off }}
        onChange={(event) => onChange(event.currentTarget.checked)}
      />
      <Hint>{hintOf(spec)}</Hint>
    </div>
  );
}

function Line({ spec, value, onChange, off }: FieldProps) {
  const id = useId();
  const read = (text: string): OptionValue =>
    text === '' ? undefined : spec.kind === 'number' ? Number(text) : text;
  const shared = {
    ...{ id, disabled: off, value: value === undefined ? '' : String(value) },
    placeholder: spec.standard === undefined ? t('tune.default') : String(spec.standard),
    onChange: (event: { currentTarget: HTMLInputElement }) =>
      onChange(read(event.currentTarget.value.trim())),
  };
  return (
    <div class="field">
      <label for={id}>{labelOf(spec)}</label>
      {spec.kind === 'number' ? (
        <input type="number" min={spec.min} max={spec.max} {...shared} />
      ) : (
        <input type="text" {...shared} />
      )}
      <Hint>{hintOf(spec)}</Hint>
    </div>
  );
}

function Hint({ id, children }: { id?: string; children: ComponentChildren }) {
  return children ? (
    <p class="hint" id={id}>
      {children}
    </p>
  ) : null;
}
