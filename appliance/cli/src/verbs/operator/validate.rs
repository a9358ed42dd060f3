//! `operator validate-config`: whether a server would start with a configuration.

use crate::args::{Flag, Kind};
use crate::verb::{Call, Failure, LOCAL};

pub const FLAGS: &[Flag] = &[Flag {
    names: &["config"],
    kind: Kind::Many,
    about: "A file or a folder of files; may come more than once",
}];

pub fn run(call: &mut Call<'_>) -> Result<u8, Failure> {
    let paths = call.flags.all("config");
    if paths.is_empty() {
        return Err(Failure::local("Specify a config file to be validated: -config=FILE"));
    }
    let folder = call.io.folder.clone();
    let paths: Vec<_> = paths.iter().map(|path| folder.join(path)).collect();
    match (call.io.check_configuration)(&paths) {
        Ok(remarks) => {
            let remarks: String = remarks.iter().map(|remark| format!("[ warning ] {remark}\n")).collect();
            call.io.say(&format!("{remarks}[ success ] Validate Config"));
            Ok(0)
        }
        Err(problems) => {
            let problems: String =
                problems.iter().map(|problem| format!("[ problem ] {problem}\n")).collect();
            call.io.say(&format!("{problems}[ failure ] Validate Config"));
            Ok(LOCAL)
        }
    }
}
