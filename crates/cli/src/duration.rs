//! Durations as people write and read them: `250ms`, `10s`, `5m`, `2h`, `7d` in; `4m 12s` out.
//!
//! Invariant: what is read is whole milliseconds. A number without a unit is refused, since programs differ on what it
//! means; only `0` says the same in every unit.

use callboard_protocol::{TtlMs, WaitMs};

/// Milliseconds in each unit, longest first.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Reads a duration in milliseconds: a whole number and one of `ms`, `s`, `m`, `h`, `d`.
///
/// # Errors
/// What is wrong with `text`, and what is allowed, for a person.
pub fn parse_ms(text: &str) -> Result<u64, String> {
    if text == "0" {
        return Ok(0);
    }
    let digits_len = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = text.split_at(digits_len);
    let factor = UNITS.iter().find(|(name, _)| *name == unit);
    let (false, Some((_, factor))) = (digits.is_empty(), factor) else {
        return Err("write a whole number and a unit: 250ms, 10s, 5m, 2h, 7d".to_owned());
    };
    let count: Option<u64> = digits.parse().ok();
    count.and_then(|count| count.checked_mul(*factor)).ok_or_else(|| "that is too long".to_owned())
}

/// Reads a TTL or a lease: 1 ms to 10 years.
///
/// # Errors
/// As [`parse_ms`], and when it is out of range.
pub fn parse_ttl(text: &str) -> Result<TtlMs, String> {
    TtlMs::new(parse_ms(text)?).ok_or_else(|| "it may be 1ms to 3650d".to_owned())
}

/// Reads how long to wait: 0 to 24 h.
///
/// # Errors
/// As [`parse_ms`], and when it is out of range.
pub fn parse_wait(text: &str) -> Result<WaitMs, String> {
    WaitMs::new(parse_ms(text)?).ok_or_else(|| "a wait is at most 24h".to_owned())
}

/// `ms` for a person: the two largest units that matter, rounded down.
pub fn format_ms(ms: u64) -> String {
    if ms < 1_000 {
        return format!("{ms}ms");
    }
    let at = UNITS.iter().position(|(_, factor)| ms >= *factor).unwrap_or(0);
    let (unit, factor) = UNITS[at];
    let whole = format!("{}{unit}", ms / factor);
    match UNITS[at + 1] {
        ("ms", _) => whole,
        (next, smaller) => match ms % factor / smaller {
            0 => whole,
            rest => format!("{whole} {rest}{next}"),
        },
    }
}

/// What is left of a time that runs down, for a person: rounded up, so that a fresh 5 m reads `5m`.
pub fn format_left_ms(ms: u64) -> String {
    if ms < 1_000 {
        return format_ms(ms);
    }
    format_ms(ms.div_ceil(1_000) * 1_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_with_their_unit() {
        for (text, ms) in [
            ("0", 0),
            ("0s", 0),
            ("250ms", 250),
            ("10s", 10_000),
            ("5m", 300_000),
            ("2h", 7_200_000),
            ("7d", 604_800_000),
        ] {
            assert_eq!(parse_ms(text), Ok(ms), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_what_is_allowed() {
        for text in ["", "5", "s", "5 m", "-1s", "1.5h", "5M", "1h30m", "soon", "99999999999999999999s"] {
            assert!(parse_ms(text).is_err(), "{text}");
        }
        assert!(parse_ms("5").is_err_and(|why| why.contains("5m")));
        assert!(parse_ms("18446744073709551615d").is_err());
        assert!(parse_ttl("0").is_err());
        assert!(parse_ttl("3650d").is_ok() && parse_ttl("3651d").is_err());
        assert!(parse_wait("24h").is_ok() && parse_wait("25h").is_err());
    }

    #[test]
    fn people_read_two_units() {
        for (ms, text) in [
            (0, "0ms"),
            (999, "999ms"),
            (1_500, "1s"),
            (60_000, "1m"),
            (252_000, "4m 12s"),
            (7_500_000, "2h 5m"),
            (90_000_000, "1d 1h"),
        ] {
            assert_eq!(format_ms(ms), text);
        }
        assert_eq!(format_left_ms(299_995), "5m");
        assert_eq!(format_left_ms(999), "999ms");
    }
}
