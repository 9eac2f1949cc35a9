//! Checks a property on files, without a fuzzer and on any toolchain:
//! `cargo run -p httpants-properties --example replay -- connection FILE...`

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("usage: replay PROPERTY FILE...")?;
    let property = httpants_properties::property(&name).ok_or_else(|| {
        let properties = httpants_properties::PROPERTIES.iter().map(|(known, _)| *known).collect::<Vec<_>>().join(", ");
        format!("unknown property {name}: expected one of {properties}")
    })?;
    for file in arguments {
        let data = std::fs::read(&file)?;
        let shown = if name == "connection" {
            httpants_properties::connection::explain(&data)
        } else {
            data.escape_ascii().to_string()
        };
        println!("{file}: {shown}");
        property(&data);
    }
    Ok(())
}
