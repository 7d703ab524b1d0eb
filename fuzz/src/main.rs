//! Fuzzes a target on stable Rust, blindly: see `quintet_fuzz::blind`.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Mutex,
    time::{Duration, Instant, SystemTime},
};

use quintet_fuzz::{
    Target,
    blind::{Mutator, shrink},
    check, inputs, target, targets,
};

const USAGE: &str = "\
Fuzzes a target on stable Rust, by changing its seeds at random.

usage: cargo run -- TARGET [SECONDS [SEED]]     change seeds for so long (60 s)
       cargo run -- TARGET FILE...              give the target these files
       cargo run -- --list                      the targets

The same SEED (a number) makes the same inputs in the same order; without one it is
taken from the time, and printed. A finding is written to artifacts/TARGET/.
Exit status: 0 nothing found, 1 a finding, 2 wrong arguments.
";

/// An input that takes longer is a finding.
const TOO_LONG: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--help" | "-h"] => {
            print!("{USAGE}");
            ExitCode::SUCCESS
        }
        ["--list"] => {
            targets().for_each(|(name, _)| println!("{name}"));
            ExitCode::SUCCESS
        }
        [name, ref rest @ ..] => match target(name) {
            Some(target) => work(target, rest),
            None => refuse(&format!("there is no target {name}; cargo run -- --list names them")),
        },
        [] => refuse("which target?"),
    }
}

/// Wrong arguments.
fn refuse(what: &str) -> ExitCode {
    eprintln!("{what}\n\n{USAGE}");
    ExitCode::from(2)
}

fn work(target: &'static Target, rest: &[&str]) -> ExitCode {
    let number = |text: &&str| text.parse::<u64>();
    let done = match (rest.first().map(number), rest.get(1).map(number)) {
        (None | Some(Ok(_)), Some(Err(_))) => return refuse("SEED is a number"),
        (None | Some(Ok(_)), _) if rest.len() > 2 => return refuse("TARGET, SECONDS and SEED are all"),
        (seconds @ (None | Some(Ok(_))), seed) => {
            let seconds = seconds.and_then(Result::ok).unwrap_or(60);
            fuzz(target, Duration::from_secs(seconds), seed.and_then(Result::ok).unwrap_or_else(seed_of_time))
        }
        (Some(Err(_)), _) => replay(target, rest),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => refuse(&error.to_string()),
    }
}

fn seed_of_time() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.map_or(1, |now| now.as_nanos() as u64 & 0xffff_ffff)
}

/// Gives a target the contents of files. False: one is a finding.
fn replay(target: &Target, files: &[&str]) -> io::Result<bool> {
    let mut good = true;
    for file in files {
        let bytes = fs::read(file).map_err(|error| io::Error::new(error.kind(), format!("{file}: {error}")))?;
        match check(target, &bytes) {
            Ok(()) => println!("{}: {file}: nothing found", target.0),
            Err(said) => {
                println!("{}: {file}: {said}", target.0);
                good = false;
            }
        }
    }
    Ok(good)
}

/// What is being tried, and since when: for the watchdog.
static TRIED: Mutex<Option<(Instant, Vec<u8>)>> = Mutex::new(None);

fn now_trying(input: Option<&[u8]>) {
    *TRIED.lock().unwrap_or_else(|error| error.into_inner()) = input.map(|input| (Instant::now(), input.to_vec()));
}

/// Ends the process when one input takes too long, and keeps it.
fn watch(target: &'static Target, seed: u64) {
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let tried = TRIED.lock().unwrap_or_else(|error| error.into_inner());
            if let Some((_, input)) = tried.as_ref().filter(|(since, _)| since.elapsed() > TOO_LONG) {
                report(target, input, &format!("slow-{seed}"), "it takes more than 20 seconds");
                std::process::exit(1);
            }
        }
    });
}

/// Changes seeds until time is up. False: there is a finding.
fn fuzz(target: &'static Target, time: Duration, seed: u64) -> io::Result<bool> {
    let seeds: Vec<_> = inputs(target.0)?.into_iter().map(|(_, bytes)| bytes).collect();
    println!("{}: {} seeds, {} s, seed {seed}", target.0, seeds.len(), time.as_secs());
    let mut mutator = Mutator::new(seeds, seed);
    let (began, mut tried, mut told) = (Instant::now(), 0_u64, 0);
    // A finding is printed once, below; its backtrace comes with the replay.
    std::panic::set_hook(Box::new(|_| {}));
    watch(target, seed);
    while began.elapsed() < time {
        let input = mutator.next_input();
        tried += 1;
        now_trying(Some(&input));
        let found = check(target, &input);
        now_trying(None);
        if let Err(said) = found {
            let after = began.elapsed().as_secs_f64();
            println!("{}: found by input {tried}, after {after:.1} s: {said}", target.0);
            let small = shrink(&input, 2000, |bytes| check(target, bytes).is_err());
            let said = check(target, &small).err().unwrap_or(said);
            report(target, &small, &format!("blind-{seed}-{tried}"), &said);
            return Ok(false);
        }
        if began.elapsed().as_secs() >= told + 10 {
            told = began.elapsed().as_secs();
            println!("{}: {tried} inputs in {told} s, nothing found", target.0);
        }
    }
    println!("{}: {tried} inputs, nothing found", target.0);
    Ok(true)
}

/// Keeps a finding as a file, and says how to run it again.
fn report(target: &Target, input: &[u8], file: &str, said: &str) {
    println!("{}: {said}", target.0);
    println!("input, {} bytes: b\"{}\"", input.len(), input.escape_ascii());
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path: PathBuf = ["artifacts", target.0, file].iter().collect();
    let written =
        fs::create_dir_all(here.join("artifacts").join(target.0)).and_then(|()| fs::write(here.join(&path), input));
    match written {
        Ok(()) => println!("written to fuzz/{0}\nreplay it, in fuzz/: cargo run -- {1} {0}", path.display(), target.0),
        Err(error) => println!("it cannot be written to fuzz/{}: {error}", path.display()),
    }
}
