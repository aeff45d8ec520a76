//! Separators, drives, letter case: many spellings, one name.

use super::*;

#[test]
fn every_spelling_of_a_file_of_the_worktree_comes_to_one_name() {
    let desk = Desk::new();
    let typed = desk.typed("app/src/auth/login.ts");
    let small_drive = format!("{}{}", typed[..1].to_lowercase(), &typed[1..]);
    let verbatim = format!(r"\\?\{typed}");
    let rooted = typed[2..].to_owned();
    for (directory, path) in [
        ("app", r"src\auth\login.ts"),
        ("app/src", r"..\SRC\.\Auth/LOGIN.TS"),
        ("other", typed.as_str()),
        ("other", small_drive.as_str()),
        ("other", verbatim.as_str()),
        ("other", rooted.as_str()),
    ] {
        let name = desk.name(directory, path);
        let expected = if directory == "other" {
            desk.absolute("app/src/auth/login.ts")
        } else {
            "src/auth/login.ts".to_owned()
        };
        assert_eq!(name, expected, "{path} in {directory}");
    }
    assert_eq!(desk.name("app", &typed), "src/auth/login.ts");
    assert_eq!(desk.name("app", r"src\*.ts"), "src/*.ts");
}

#[test]
fn drives_and_shares_have_names_that_are_absolute_to_the_daemon() {
    let desk = Desk::new();
    assert_eq!(desk.name("app", r"c:\"), "/C:/**");
    assert_eq!(desk.name("app", r"C:\no such folder\x"), "/C:/no such folder/x");
    assert_eq!(desk.name("app", r"\\server\share\a\*"), "/server/share/a/*");
}
