//! Nodes into text.

use super::{Entry, Node, Shape};

/// A whole document.
pub fn document(nodes: &[Node]) -> String {
    let mut out = String::new();
    body(&mut out, nodes, 0);
    out
}

fn body(out: &mut String, nodes: &[Node], level: usize) {
    let mut rest = nodes;
    while let Some((node, after)) = rest.split_first() {
        match node {
            Node::Blank => out.push('\n'),
            Node::Comment(comment) => {
                indent(out, level);
                out.push_str(comment);
                out.push('\n');
            }
            Node::Item { .. } => {
                // Assignments of one line that follow each other have their signs in one column.
                let together = rest.iter().take_while(|node| is_short(node)).count().max(1);
                let (group, after_group) = rest.split_at(together);
                let width = group.iter().map(|node| name(node).chars().count()).max().unwrap_or(0);
                group.iter().for_each(|node| item(out, node, level, width));
                rest = after_group;
                continue;
            }
        }
        rest = after;
    }
}

/// Whether it is `name = value` in one line.
fn is_short(node: &Node) -> bool {
    let Node::Item { assigned: true, value, .. } = node else { return false };
    match value {
        Shape::Atom(text) => !text.contains('\n'),
        Shape::List(_, has_lines) => !has_lines,
        Shape::Body(nodes) => nodes.is_empty(),
    }
}

fn name(node: &Node) -> String {
    match node {
        Node::Item { keys, .. } => keys.join(" "),
        _ => String::new(),
    }
}

fn item(out: &mut String, node: &Node, level: usize, width: usize) {
    let Node::Item { assigned, value, comment, .. } = node else { return };
    indent(out, level);
    let name = name(node);
    match assigned {
        true => out.push_str(&format!("{name:width$} = ")),
        false => out.push_str(&format!("{name} ")),
    }
    shape(out, value, level);
    behind(out, comment.as_deref());
}

fn behind(out: &mut String, comment: Option<&str>) {
    if let Some(comment) = comment {
        out.push(' ');
        out.push_str(comment);
    }
    out.push('\n');
}

fn shape(out: &mut String, value: &Shape, level: usize) {
    match value {
        Shape::Atom(text) => out.push_str(text),
        Shape::Body(nodes) if nodes.is_empty() => out.push_str("{}"),
        Shape::Body(nodes) => {
            out.push_str("{\n");
            body(out, nodes, level + 1);
            indent(out, level);
            out.push('}');
        }
        Shape::List(entries, false) => {
            out.push('[');
            for (at, entry) in entries.iter().enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                if let Entry::Value(value, _) = entry {
                    shape(out, value, level);
                }
            }
            out.push(']');
        }
        Shape::List(entries, true) => {
            out.push_str("[\n");
            for entry in entries {
                indent(out, level + 1);
                match entry {
                    Entry::Comment(comment) => {
                        out.push_str(comment);
                        out.push('\n');
                    }
                    Entry::Value(value, comment) => {
                        shape(out, value, level + 1);
                        out.push(',');
                        behind(out, comment.as_deref());
                    }
                }
            }
            indent(out, level);
            out.push(']');
        }
    }
}

fn indent(out: &mut String, level: usize) {
    out.extend(std::iter::repeat_n("  ", level));
}
