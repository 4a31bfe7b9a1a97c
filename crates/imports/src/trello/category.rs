use taskfold_domain::project::Category;

/// Words of a list's name that say its work is done, in a few languages.
const DONE: &[&str] = &[
    "done",
    "complete",
    "completed",
    "finished",
    "closed",
    "deployed",
    "released",
    "shipped",
    "live",
    "archive",
    "archived",
    "resolved",
    "fertig",
    "erledigt",
    "abgeschlossen",
    "terminé",
    "terminée",
    "fini",
    "hecho",
    "terminado",
    "completado",
    "concluído",
    "concluido",
    "feito",
    "fatto",
    "completato",
    "klaar",
    "gereed",
    "afgerond",
    "klart",
    "färdig",
    "færdig",
    "ferdig",
    "valmis",
    "zrobione",
    "gotowe",
    "hotovo",
    "готово",
    "сделано",
    "выполнено",
    "完了",
    "完成",
    "已完成",
];
/// Words that say it is being worked on.
const IN_PROGRESS: &[&str] = &[
    "doing",
    "progress",
    "review",
    "reviewing",
    "wip",
    "testing",
    "test",
    "qa",
    "current",
    "started",
    "ongoing",
    "active",
    "working",
    "development",
    "developing",
    "arbeit",
    "bearbeitung",
    "cours",
    "proceso",
    "curso",
    "progreso",
    "andamento",
    "fazendo",
    "corso",
    "bezig",
    "pågående",
    "gang",
    "työn",
    "kesken",
    "trakcie",
    "průběhu",
    "работе",
    "進行中",
    "进行中",
    "作業中",
];

/// What kind of work a list of this name holds: that of the first telling word, else `todo`.
pub fn guess(name: &str) -> Category {
    let name = name.to_lowercase();
    let words: Vec<&str> = name.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    for (i, word) in words.iter().enumerate() {
        if i > 0 && matches!(words[i - 1], "not" | "nicht" | "to" | "un" | "for") {
            continue;
        }
        if DONE.contains(word) {
            return Category::Done;
        }
        if IN_PROGRESS.contains(word) {
            return Category::InProgress;
        }
    }
    Category::Todo
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_the_kind_of_work() {
        for done in ["Done", "DONE ✔", "Completed (2015)", "Erledigt", "Archive", "已完成"] {
            assert_eq!(guess(done), Category::Done, "{done}");
        }
        for doing in ["in Progress", "Doing", "Code review", "WIP", "In Arbeit", "En cours"] {
            assert_eq!(guess(doing), Category::InProgress, "{doing}");
        }
        for todo in ["TODO", "Ideas", "", "OLD: Planning", "Not started", "To review", "Olive oil"] {
            assert_eq!(guess(todo), Category::Todo, "{todo}");
        }
    }
}
