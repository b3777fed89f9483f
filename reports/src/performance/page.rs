//! One self-contained page of a bench: the advice, the pictures, the tables.

use super::{advice, picture, record::Record, tables};
use crate::style::Color;
use maud::{DOCTYPE, PreEscaped, html};

const STYLE: &str = "body{font:15px/1.5 Helvetica,Arial,sans-serif;max-width:64rem;margin:2rem auto;padding:0 1rem;color:#222}\
    pre{overflow-x:auto;font-size:12px;line-height:1.35}figure{margin:1.5rem 0}svg{max-width:100%;height:auto}";

/// Renders it.
#[must_use]
pub fn render(record: &Record) -> String {
    let rows = record.rows();
    let title = format!("What mechanisms cost on {}", record.header.class());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                title { (title) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                h1 { (title) }
                p { (record.header.started) }
                @if let Some(advice) = advice::paragraph(&rows) { p { (advice) } }
                @for picture in picture::all(&rows) { figure { (PreEscaped(picture.svg)) } }
                pre { (tables::render(record, Color::Never)) }
            }
        }
    };
    page.into_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::render;
    use crate::performance::samples;

    #[test]
    fn a_page_needs_nothing_from_elsewhere() {
        let page = render(&samples::record());
        assert!(page.starts_with("<!DOCTYPE html>") && page.contains("<svg") && page.contains("Which mechanism"));
        // Names of namespaces are no addresses that anything is fetched from.
        assert!(!page.replace("http://www.w3.org/2000/svg", "").contains("http"));
    }
}
