// Fields of forms: a label, a control, and what is wrong with what was entered.

import { useId } from "preact/hooks";
import type { ModelCard } from "../../src/server/page-api.ts";

/** A line of text; `error` says why it cannot be used. */
export function TextField(props: {
  label: string;
  value: string;
  onChange: (value: string) => void;
  error?: string | undefined;
  placeholder?: string;
  numeric?: boolean;
}) {
  const id = useId();
  const { label, value, onChange, error, placeholder, numeric } = props;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        type="text"
        inputMode={numeric ? "decimal" : undefined}
        autocomplete="off"
        spellcheck={false}
        value={value}
        placeholder={placeholder}
        aria-invalid={error !== undefined}
        aria-describedby={error === undefined ? undefined : `${id}-error`}
        onInput={(event) => onChange(event.currentTarget.value)}
      />
      {error !== undefined && (
        <p id={`${id}-error`} class="error" role="alert">
          {error}
        </p>
      )}
    </div>
  );
}

/** One of several. */
export function Choice<T extends string>(props: {
  label: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  onChange: (value: T) => void;
}) {
  const id = useId();
  const { label, value, options, onChange } = props;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChange(event.currentTarget.value as T)}>
        {options.map(([name, text]) => (
          <option key={name} value={name}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

/** One of the served models. */
export function ModelChoice(props: {
  label: string;
  value: string;
  models: readonly ModelCard[];
  onChange: (id: string) => void;
}) {
  return (
    <Choice {...props} options={props.models.map(({ id, name }) => [id, id.includes(name) ? id : `${name} (${id})`])} />
  );
}

/** One of a few, all in sight. */
export function Segments<T extends string>(props: {
  label: string;
  value: T;
  options: readonly (readonly [value: T, text: string])[];
  onChange: (value: T) => void;
}) {
  const { label, value, options, onChange } = props;
  return (
    <fieldset class="segments">
      <legend class="hidden-text">{label}</legend>
      {options.map(([name, text]) => (
        <button key={name} type="button" aria-pressed={name === value} onClick={() => onChange(name)}>
          {text}
        </button>
      ))}
    </fieldset>
  );
}
