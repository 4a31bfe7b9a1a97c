//! Guesses of a column's category from the name of a list.

use taskfold_domain::project::Category;

/// Words for finished work, in several languages.
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
/// Words for work in progress, in several languages.
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

/// Category of a list: that of the first known word in its name, otherwise `todo`.
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
    fn categories_are_guessed_from_names() {
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
