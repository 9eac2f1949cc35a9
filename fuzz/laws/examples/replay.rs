//! Tries a law on files, without a fuzzer and on any toolchain:
//! `cargo run -p httpants-laws --example replay -- connection FILE...`

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let name = arguments.next().ok_or("replay LAW FILE...")?;
    let law = httpants_laws::law(&name).ok_or_else(|| {
        let laws = httpants_laws::LAWS.map(|(law, _)| law).join(", ");
        format!("no law is called {name}; there are {laws}")
    })?;
    for file in arguments {
        let data = std::fs::read(&file)?;
        let shown = if name == "connection" {
            httpants_laws::connection::explain(&data)
        } else {
            data.escape_ascii().to_string()
        };
        println!("{file}: {shown}");
        law(&data);
    }
    Ok(())
}
