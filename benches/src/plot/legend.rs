//! Which line is which: a list beside the drawing, so that it wraps on a narrow screen.

use std::fmt;

use super::svg::write_marker;
use super::{Look, Plot, escape};

/// The list, as HTML.
pub(crate) struct Legend<'a>(pub(crate) &'a Plot);

impl fmt::Display for Legend<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<ul class=\"legend\">")?;
        for series in &self.0.series {
            write!(f, "<li>{}{}</li>", Swatch(series.look), escape(&series.name))?;
        }
        writeln!(f, "</ul>")
    }
}

/// A piece of the line.
struct Swatch(Look);

impl fmt::Display for Swatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let look = self.0;
        write!(
            f,
            "<svg class=\"swatch {}\" viewBox=\"0 0 28 12\" aria-hidden=\"true\">",
            look.class
        )?;
        if look.area {
            write!(f, "<rect class=\"area\" width=\"28\" height=\"12\"/>")?;
        } else {
            let dashed = if look.dashed { " dashed" } else { "" };
            write!(f, "<path class=\"line{dashed}\" d=\"M0 6H28\"/>")?;
        }
        if let Some(marker) = look.marker {
            write_marker(f, marker, look.dashed, 14.0, 6.0)?;
        }
        write!(f, "</svg>")
    }
}
