//! The files of a form.

use super::UploadedFile;

/// The files of a `multipart/form-data` request, by the name of their field
/// (`files` in Pants): several may have the same name, and their order is kept.
///
/// ```
/// use httpants_driver::Request;
///
/// async fn sizes(request: Request) -> String {
///     let files = request.files();
///     let photos = files.all("photo").map(|photo| photo.len().to_string());
///     photos.collect::<Vec<_>>().join(" ")
/// }
/// # let _ = sizes;
/// ```
#[derive(Clone, Debug, Default)]
pub struct Files(Vec<UploadedFile>);

impl Files {
    pub(crate) fn push(&mut self, file: UploadedFile) {
        self.0.push(file);
    }

    /// The first file of this field, chosen or not. Names are compared as they are, with case.
    #[must_use]
    pub fn get(&self, field: &str) -> Option<&UploadedFile> {
        self.iter().find(|file| file.name() == field)
    }

    /// The first file of this field that the user has chosen
    /// ([`is_chosen`](UploadedFile::is_chosen)). Browsers send one that is none for an input left
    /// empty, which [`get`](Self::get) returns.
    ///
    /// ```
    /// use httpants_driver::Request;
    ///
    /// async fn photo(request: Request) -> String {
    ///     match request.files().chosen("photo") {
    ///         Some(photo) => format!("{} bytes\n", photo.len()),
    ///         None => "no photo chosen\n".to_owned(),
    ///     }
    /// }
    /// # let _ = photo;
    /// ```
    #[must_use]
    pub fn chosen(&self, field: &str) -> Option<&UploadedFile> {
        self.iter().find(|file| file.name() == field && file.is_chosen())
    }

    /// All files of this field, in order.
    pub fn all<'a>(&'a self, field: &'a str) -> impl Iterator<Item = &'a UploadedFile> + 'a {
        self.iter().filter(move |file| file.name() == field)
    }

    /// All files, in order; [`name`](httpants_core::forms::Part::name) is their field's.
    pub fn iter(&self) -> impl Iterator<Item = &UploadedFile> {
        self.0.iter()
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no file at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
