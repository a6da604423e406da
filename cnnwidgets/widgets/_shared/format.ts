/** Numbers as a reader wants them. */

/** Three significant `digits`, a true minus sign, no needless exponent: 0.00123, −21.1, 1.2e6. */
export function number(value: number, digits = 3): string {
  if (Number.isNaN(value)) return "NaN";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const plain = size >= 100 ? value.toFixed(1) : size >= 1 ? value.toFixed(digits - 1) : value.toPrecision(digits);
  const text = size >= 1e5 || size < 1e-3 ? value.toExponential(digits - 1).replace(/(\.?0+)?e\+?/u, "e") : plain;
  return text.replace(/^-/u, "−");
}

/** A share between 0 and 1: 37.9 %. */
export function percent(share: number): string {
  if (!Number.isFinite(share)) return "NaN";
  const value = share * 100;
  if (value > 0 && value < 0.05) return "<0.1 %";
  return `${value === 0 || value === 100 ? value.toFixed(0) : value.toFixed(1)} %`;
}

/** A count with a unit prefix: 4.65 M. */
export function count(value: number): string {
  for (const [i, name] of ["T", "G", "M", "k"].entries()) {
    const unit = 1000 ** (4 - i);
    if (value >= unit) return `${(value / unit).toFixed(2)} ${name}`;
  }
  return String(value);
}

/** 3 × 224²,  64 × 28 × 14,  1000. */
export function shape(sides: readonly number[]): string {
  const [a, b, c] = sides;
  if (sides.length === 3 && b === c) return `${a} × ${b}²`;
  return sides.join(" × ");
}
